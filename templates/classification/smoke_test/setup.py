#% include "classification/smoke_test/evaluated.py"
#% if teacher
train.build_teacher = lambda classes: train.build_model()  # as untrained as the model
#% endif
#% if train.compile
torch.compiler.set_stance("force_eager")  # compiling takes minutes
#% endif
