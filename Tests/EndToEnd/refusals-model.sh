# Model folders, run files and selections that cannot be used.
source "$top/Tests/EndToEnd/refusals.sh"
checkpoints

tensor=model.language_model.layers.1.self_attn.v_proj.weight
grep -q "\"$tensor\"" model/model.safetensors || tensor=model.layers.1.self_attn.v_proj.weight
model cut-header cut-header
model long-header long-header
model far-offset far-offset
model overlap overlap
model dropped drop "$tensor"
model added add model.layers.1.surprise
model reshaped reshape "$tensor"
model other nudge "$tensor"
cp -r model no-weights
rm no-weights/model.safetensors
cp -r model bad-config
sed -i 's/"num_hidden_layers": [0-9]*/"num_hidden_layers": -3/' bad-config/config.json

weights='/model.safetensors'
on() { echo "train run.yaml --resume auto --set model.path=$1"; }
refused 65 "a safetensors file cut in its header" "cut-header$weights" 'header' $(on cut-header)
refused 65 "a header that states more bytes than there are" "long-header$weights" 'header' $(on long-header)
refused 65 "a tensor that ends after the file" "far-offset$weights" 'tensor ' $(on far-offset)
refused 65 "two tensors on the same bytes" "overlap$weights" 'tensor ' $(on overlap)
refused 65 "a missing tensor" dropped "$tensor" $(on dropped)
refused 65 "a tensor too many" added 'model.layers.1.surprise' $(on added)
refused 65 "a tensor of another shape" "reshaped$weights" "$tensor.*shape" $(on reshaped)
for kind in dropped added reshaped; do
  refused 65 "a plan for weights that training refuses: $kind" "$kind" 'model.*layers.1' plan run.yaml --set "model.path=$kind"
done
refused 65 "no weights" "no-weights$weights" '[Nn]o such file' $(on no-weights)
refused 65 "a configuration out of range" 'bad-config/config.json' 'num_hidden_layers' $(on bad-config)
refused 65 "no such folder" 'nowhere' '[Nn]o such folder.*config.json' $(on nowhere)
refused 65 "an id of the Hub" 'Qwen/Qwen2.5-VL-3B-Instruct' 'no such folder.*Hugging Face Hub.*hf download' \
  $(on Qwen/Qwen2.5-VL-3B-Instruct)
COUNTS=0 refused 64 "a command that there is not" 'inspekt' 'did you mean inspect' inspekt run.yaml
for kind in "num_heads=17:at most 16" "select=per_layer --set adapter.heads.num_heads=null --set adapter.heads.per_layer=5:at most 4"; do
  refused 65 "more heads than there are (${kind%%=*})" 'adapter.heads' "${kind##*:}" \
    train run.yaml --set checkpoint.directory=fresh --set adapter.heads.${kind%:*}
done
refused 65 "a plan for more heads than there are" 'adapter.heads.num_heads' 'at most 16' \
  plan run.yaml --set adapter.heads.num_heads=17
refused 65 "a checkpoint of another base" "run/$last" 'base' $(on other)

# Templates that end in one line, whatever they compute: at the ends of 64 bits, and in much memory.
cp -r model hostile
rm -f hostile/chat_template.json
template() { printf '%s' "$1" >hostile/chat_template.jinja; }
inspected="inspect run.yaml --set model.path=hostile"
template '{{ 9223372036854775806 % 9223372036854775807 }}'
COUNTS=0 refused 65 "a template that divides the largest numbers" 'message 1' 'leaves out' $inspected
template '{{ (0-9223372036854775807-1) // 3 }}'
COUNTS=0 refused 65 "a template that divides the least number" 'message 1' 'leaves out' $inspected
template '{{ (0-9223372036854775807-1) // -1 }}'
COUNTS=0 refused 65 "a template that overflows" 'chat_template.jinja: line 1' 'overflows' $inspected
doubled='{% set n = namespace(s="ab") %}{% for i in range(24) %}{% set n.s = n.s ~ n.s %}{% endfor %}'
template "$doubled{{ n.s[::-1]|length }}"
COUNTS=0 limit=4 refused 65 "a template that reverses 32 MiB" 'message 1' 'leaves out' $inspected
template "$doubled{{ n.s|list|length }}"
COUNTS=0 limit=4 refused 65 "a template that makes a list of 32 MiB" 'chat_template.jinja: line 1' '128 MiB|steps' $inspected
rm -rf hostile

refused 65 "an unknown key, the nearest named" 'command line|--set' 'training.learnin_rate.*training.learning_rate' \
  train run.yaml --set training.learnin_rate=1
sed 's/global_batch/globalbatch/' run.yaml >typo.yaml
refused 65 "an unknown key in the file" 'typo.yaml:[0-9]+' 'globalbatch.*global_batch' train typo.yaml
refused 65 "a value out of range" 'run.yaml|--set' 'adapter.rank' train run.yaml --set adapter.rank=0
refused 65 "no run file" 'nothing.yaml' '[Nn]o such file|cannot be read' train nothing.yaml

file_of() {
  echo "train run.yaml --set checkpoint.directory=fresh --set adapter.heads.select=file --set adapter.heads.file=$1"
}
selection() { # layer, head, heads of the layer
  printf '{"method": "influence", "num_heads": 1, "tau": 0.5, "layer_budgets_kv": {"%s": 1}, ' "$1"
  printf '"kv_indices": {"%s": [%s]}, "hkv": {"%s": %s}}\n' "$1" "$2" "$1" "$3"
}
selection 40 0 4 >other-layers.json
selection 1 7 8 >other-heads.json
echo '{"kv_indices": ' >torn.json
refused 65 "a selection for a model of more layers" 'other-layers.json' 'layer|40' $(file_of other-layers.json)
refused 65 "a selection for a model of more heads" 'other-heads.json' 'head|hkv' $(file_of other-heads.json)
refused 65 "a torn selection" 'torn.json' '.' $(file_of torn.json)
refused 65 "no selection" 'no.json' 'cannot be read' $(file_of no.json)
rm -rf fresh run
