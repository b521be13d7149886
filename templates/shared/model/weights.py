#% if model.weights and model.weights.path
WEIGHTS = {{ model.weights.path }}
#% endif
#% if model.weights and model.weights.hash
HASH = {{ model.weights.hash }}  # how the file's begins
#% endif
#% if model.weights and model.weights.prefix
PREFIX = {{ model.weights.prefix }}  # of the names of the model's tensors in the file
#% endif
#% if model.weights and model.weights.renamed
# How names in the file begin, and how in the model.
RENAMED = {{ model.weights.renamed }}
#% endif
