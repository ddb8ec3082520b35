// What keys are called in other trainers, for messages about keys that are none here.

/// The key that a name of ms-swift, LLaMA-Factory, TRL, PEFT or axolotl stands for.
struct PeersName {
  let key: String
  /// What differs from there.
  let note: String?

  /// - Parameter name: the last part of a key's path.
  init?(_ name: String) {
    guard let (key, note) = Self.known[name.lowercased()] else { return nil }
    (self.key, self.note) = (key, note)
  }

  static let known: [String: (key: String, note: String?)] = {
    var known: [String: (key: String, note: String?)] = [:]
    for (key, note, names) in table { for name in names { known[name] = (key, note) } }
    return known
  }()

  private static let batch = "the examples of a step over all ranks, however many these are"

  private static let table: [(key: String, note: String?, names: [String])] = [
    ("model.path", nil, ["model", "model_name_or_path", "model_id_or_path", "model_id", "base_model", "model_name"]),
    ("model.precision", nil, ["bf16", "fp16", "dtype", "torch_dtype", "mixed_precision", "compute_dtype"]),
    ("model.max_pixels", nil, ["image_max_pixels", "max_image_pixels"]),
    ("model.min_pixels", nil, ["image_min_pixels"]),
    ("model.template", nil, ["template", "chat_template_kwargs", "enable_thinking"]),
    (
      "data.train", nil,
      ["dataset", "datasets", "train_file", "train_dataset", "data_path", "dataset_path", "train_data"]
    ),
    (
      "data.validation", nil,
      ["val_dataset", "eval_dataset", "eval_file", "validation_file", "test_datasets", "val_data"]
    ),
    ("data.validation_fraction", nil, ["split_dataset_ratio", "val_size", "test_size", "val_set_size"]),
    ("data.prepared", nil, ["dataset_prepared_path", "tokenized_path", "cached_dataset"]),
    ("data.system", nil, ["system_prompt", "default_system"]),
    ("data.image_root", nil, ["image_folder", "image_dir", "media_dir", "dataset_dir", "image_path"]),
    (
      "data.max_length", "longer examples are refused, never cut",
      ["cutoff_len", "max_seq_length", "model_max_length", "sequence_len", "max_seq_len"]
    ),
    ("adapter.kind", nil, ["train_type", "finetuning_type", "tuner_type", "peft_type", "use_peft", "sft_type"]),
    ("adapter.rank", nil, ["lora_rank", "lora_r", "r"]),
    ("adapter.alpha", nil, ["lora_alpha"]),
    ("adapter.targets", nil, ["lora_target", "target_modules", "lora_target_modules", "lora_targets"]),
    ("adapter.layers", nil, ["layers_to_transform", "lora_layers"]),
    ("adapter.dropout", nil, ["lora_dropout"]),
    ("adapter.rslora", nil, ["use_rslora"]),
    ("adapter.start", nil, ["adapters", "adapter_name_or_path", "lora_model_dir", "adapter_path"]),
    ("training.epochs", nil, ["num_train_epochs", "num_epochs", "n_epochs", "max_epochs"]),
    ("training.steps", nil, ["max_steps", "train_iters", "num_steps", "max_iters"]),
    (
      "training.global_batch", batch,
      [
        "batch_size", "per_device_train_batch_size", "train_batch_size", "global_batch_size",
        "gradient_accumulation_steps", "grad_accum_steps", "accumulate_grad_batches",
      ]
    ),
    ("training.micro_batch", nil, ["micro_batch_size", "micro_batch_size_per_gpu"]),
    ("training.rate_factors", "as {B: 16}", ["loraplus_lr_ratio", "lorap_lr_ratio"]),
    ("training.learning_rate", nil, ["lr", "max_lr", "peak_lr", "base_lr"]),
    ("training.schedule", nil, ["lr_scheduler_type", "lr_scheduler", "scheduler", "lr_decay_style"]),
    ("training.min_learning_rate", nil, ["min_lr", "min_lr_rate", "cosine_min_lr_ratio", "lr_min"]),
    ("training.warmup_steps", "3% of all steps unless stated", ["warmup_ratio", "lr_warmup_fraction"]),
    ("training.warmup_steps", nil, ["num_warmup_steps", "lr_warmup_steps", "warmup"]),
    ("training.max_gradient_norm", nil, ["max_grad_norm", "gradient_clip_val", "clip_grad", "gradient_clipping"]),
    ("training.seed", nil, ["seed", "random_seed", "data_seed"]),
    ("training.beta1", nil, ["adam_beta1"]), ("training.beta2", nil, ["adam_beta2"]),
    ("training.epsilon", nil, ["adam_epsilon", "eps"]),
    ("training.activation_memory_mib", nil, ["gradient_checkpointing", "activation_checkpointing"]),
    (
      "training.patience", "validations without a better one",
      ["early_stopping_patience", "early_stopping", "early_stop"]
    ),
    ("training.best_by", nil, ["metric_for_best_model", "load_best_model_at_end"]),
    ("training.validation_every_steps", nil, ["eval_steps", "eval_interval", "eval_strategy", "evals_per_epoch"]),
    ("checkpoint.directory", nil, ["output_dir", "save_path", "output", "ckpt_dir", "checkpoint_dir"]),
    ("checkpoint.every_steps", nil, ["save_steps", "save_interval", "saves_per_epoch", "save_freq"]),
    ("checkpoint.keep", nil, ["save_total_limit", "max_keep_ckpts"]),
    ("logging.every_steps", nil, ["logging_steps", "log_interval", "log_every_n_steps"]),
    ("logging.tensorboard", nil, ["report_to", "loggers", "log_with"]),
    ("logging.stall_limit_seconds", nil, ["ddp_timeout"]),
  ]
}
