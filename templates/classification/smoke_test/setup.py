#% include "classification/smoke_test/evaluated.py"
#% if teacher
train.build_teacher = lambda classes: train.build_model()  # which knows as little as the model
#% endif
#% if train.compile
torch.compiler.set_stance("force_eager")  # compiling takes minutes
#% endif
