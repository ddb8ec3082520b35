# Checkpoints that are damaged or of another run.
source "$top/Tests/EndToEnd/refusals.sh"
checkpoints
spoil=$top/Tests/EndToEnd/spoil.py

mkdir odd
for change in tear flip; do
  cp run/step-00000018.h5 run/step-00000018.h5.sha256 odd/
  python3 "$spoil" $change odd/step-00000018.h5
  refused 65 "--resume PATH after: $change" 'odd/step-00000018.h5' 'damaged|SHA-256' \
    train run.yaml --resume odd/step-00000018.h5
  refused 65 "inspect after: $change" 'odd/step-00000018.h5' 'damaged|SHA-256' inspect odd/step-00000018.h5
  check "nothing is printed of it" test ! -s out
  # A checksum made afterwards hides the damage from the first check, not from the file's own.
  (cd odd && sha256sum step-00000018.h5 >step-00000018.h5.sha256)
  if [[ $change = tear ]]; then
    refused 65 "--resume PATH, torn and its checksum made again" 'odd/step-00000018.h5' 'truncated|cannot' \
      train run.yaml --resume odd/step-00000018.h5
  fi
done
cp run/step-00000018.h5 odd/alone.h5
check "a checkpoint without the checksum beside it is whole" "$IMAGELORA" inspect odd/alone.h5
truncate -s -83 odd/alone.h5
refused 65 "a checkpoint without its seal" 'odd/alone.h5' 'seal.*checksum' train run.yaml --resume odd/alone.h5
cp run/step-00000018.h5 odd/step-00000019.h5
refused 65 "a checkpoint under another step's name" 'odd/step-00000019.h5' 'step 19.*step 18' \
  train run.yaml --resume odd/step-00000019.h5
refused 65 "a folder for a checkpoint" 'run' 'is a folder.*step-' train run.yaml --resume run
refused 65 "a folder for a checkpoint, exported" 'run' 'is a folder.*step-' export run --output none
refused 65 "no such checkpoint" 'odd/none.h5' 'no such file' train run.yaml --resume odd/none.h5
echo "not HDF5" >odd/text.h5
(cd odd && sha256sum text.h5 >text.h5.sha256)
refused 65 "a file that is no checkpoint" 'odd/text.h5' '.' train run.yaml --resume odd/text.h5
refused 65 "a checkpoint of another run" "run/$last" 'another run: training' \
  train run.yaml --resume auto --set training.learning_rate=1e-3
refused 65 "a new run in the folder of an old one" "run/$last" 'earlier run' train run.yaml

# A base whose images are resized otherwise since the run began.
cp model/preprocessor_config.json preprocessor.json
sed -i 's/125440/100352/' model/preprocessor_config.json
refused 65 "other pixel limits in the model folder" "run/$last" '125440.*100352.*preprocessor_config.json' train run.yaml --resume auto
mv preprocessor.json model/preprocessor_config.json

# auto passes over what is damaged, and says so.
rm -f "run/$last"*
for change in tear flip; do
  rm -rf kept
  cp -r run kept
  python3 "$spoil" $change run/step-00000018.h5
  if train 2 --resume auto; then ok "auto after: $change"; else fail "auto after: $change" out err; fi
  check "auto after: $change: says what it left out and from where it goes on" \
    sh -c 'grep -q "^left out .*step-00000018.h5" out && grep -q "^resumed from .*step-00000016.h5" out'
  check "auto after: $change: the bytes of the run never stopped" cmp "whole-2/$last" "run/$last"
  rm -rf run
  mv kept run
done
rm -rf run odd

# Two runs in one folder, and a folder in which no checkpoint is valid.
rm -rf shared
train 0 --set checkpoint.directory=shared --set training.steps=100000 --set checkpoint.every_steps=100000 &
first=$!
for _ in $(seq 100); do [[ -s shared/run.lock && -s shared/metrics.jsonl ]] && break; sleep 0.1; done
refused 65 "a second run in the folder" '/shared' 'in use by process [0-9]+ on' \
  train run.yaml --set checkpoint.directory=shared
pkill -KILL -f 'checkpoint.directory=shared' || true
wait "$first" || true
check "a killed run leaves its lock" test -s shared/run.lock
check "and the next one goes on" train 0 --set checkpoint.directory=shared --set training.steps=2 --resume auto
check "and takes it away at its end" test ! -e shared/run.lock
for file in shared/step-*.h5; do python3 "$spoil" flip "$file"; done
refused 65 "no checkpoint is valid" '/shared' 'none is valid.*damaged' \
  train run.yaml --resume auto --set checkpoint.directory=shared --set training.steps=2
