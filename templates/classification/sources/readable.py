#% if data.skip_unreadable
#% include "classification/sources/readable_skip.py"
#% else
#% include "classification/sources/readable_error.py"
#% endif


QUIET = os.environ.get("RANK", "0") != "0"  # only rank 0 prints
#% include "shared/headers.py"
