"""What it means and what should be: a pure core.

Law: nothing in this package asks what time it is, opens, sends, logs, forks or draws at random. Time is an argument.
"""
