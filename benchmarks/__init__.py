"""How fast and how lean amoot-etl is, beside named others, on bodies that anyone can make again.

```
python -m benchmarks              the short form: 100,000 contacts, about three minutes
python -m benchmarks --full       a million contacts, and the growth from 10,000 to 4,000,000
python -m benchmarks --full --write     the same, kept in results.json, README.md and growth.svg
```

- `world` invents the contacts, `bodies` writes them as the portal would send them (once; they are kept in `.work`);
- `portal` serves the bodies from a process of its own, over HTTP;
- `measure` runs a command in a fresh process and takes its time and the memory of all its processes;
- `sides` names the commands that are measured, ours and the others';
- `scripts/` holds the others as programs: what an analyst would write, dlt's REST source, DuckDB alone;
- `equal` insists that the sides' results agree, before their times are compared;
- `suite` measures the rows of the table, `targets` says what each is held to, `table` and `plot` show them.
"""
