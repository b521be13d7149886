#% if model.unfreezes
# The frozen modules, by the number of finished epochs from which on they are.
FROZEN = {{ model.frozen_by_epoch }}
#% else
#% if model.frozen
FROZEN = {{ model.frozen }}
#% endif
#% if model.frozen_parameters
FROZEN_PARAMETERS = {{ model.frozen_parameters }}
#% endif
#% endif
