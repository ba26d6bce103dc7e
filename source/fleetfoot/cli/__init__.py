"""The command line: parse, build, run, close. The only place with effects on the process."""
