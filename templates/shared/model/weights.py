#% if model.weights and model.weights.path
WEIGHTS = {{ model.weights.path }}
#% endif
#% if model.weights and model.weights.hash
HASH = {{ model.weights.hash }}  # the beginning of the file's SHA-256
#% endif
#% if model.weights and model.weights.prefix
PREFIX = {{ model.weights.prefix }}  # of the model's tensors in the file
#% endif
#% if model.weights and model.weights.renamed
# Prefixes of names in the file, and those in the model that replace them.
RENAMED = {{ model.weights.renamed }}
#% endif
