"""
Your first method
=================

x
"""

print(1)
