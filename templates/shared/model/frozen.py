#% if model.unfreezes
# What is frozen from so many finished epochs on: all that is named here, and no more.
FROZEN = {{ model.frozen_by_epoch }}
#% else
#% if model.frozen
FROZEN = {{ model.frozen }}
#% endif
#% if model.frozen_parameters
FROZEN_PARAMETERS = {{ model.frozen_parameters }}
#% endif
#% endif
