"Steps are notebooks: typed parameters, plan, cache, run, resume."
