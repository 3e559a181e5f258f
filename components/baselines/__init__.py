"""What there was before end-to-end training: descriptions of a face, and classifiers on them.

Every module with descriptions turns all faces into one (N, D) matrix, and learns what it has to
learn from the training faces alone. `components/baseline.py` pairs them with the classifiers.
"""
