#% if model.unfreezes
# What is frozen, by the number of finished epochs from which on it is.
FROZEN = {{ model.frozen_by_epoch }}
#% else
#% if model.frozen
FROZEN = {{ model.frozen }}
#% endif
#% if model.frozen_parameters
FROZEN_PARAMETERS = {{ model.frozen_parameters }}
#% endif
#% endif
