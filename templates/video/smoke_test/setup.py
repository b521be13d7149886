#% include "classification/smoke_test/evaluated.py"
#% if data.testing
#% if data.segments
data.TEST_SEGMENTS = 2
#% else
data.TEST_CLIPS = 2
#% endif
#% endif
#% if train.compile
torch.compiler.set_stance("force_eager")  # compiling takes minutes
#% endif
