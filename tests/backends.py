"""What tests on another backend than TensorFlow share."""

# XLA takes longer to compile a network well than a test takes to run it.
COMPILE_FAST = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
