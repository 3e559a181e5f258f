"""What the step `clean` is made of: finders of defects, the judge, the reviewer, the report.

Finders take arrays and return what they found; `verdict` alone decides what follows from it.
"""
