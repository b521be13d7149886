#% if data.skip_unreadable
#% include "classification/sources/readable_skip.py"
#% else
#% include "classification/sources/readable_error.py"
#% endif


#% include "shared/headers.py"
