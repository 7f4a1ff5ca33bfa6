"""How many subjects would decide it
=================================

Exact power of the two one-sided tests.
"""

import matplotlib.pyplot as plt

import apastats as apa

ns = [6, 8, 10, 15, 20, 30, 40]
power = [apa.power_tost(n=n, sd=0.04, bounds=0.03).tidy()["estimate"][0] for n in ns]
plt.plot(ns, power, "o-")
plt.xlabel("subjects")
plt.ylabel("power")
plt.ylim(0, 1)
plt.show()
