"""River HalfSpaceTrees over exported vectors: one model for all, score first, learn after.
hst.py ROWS.f32 WIDTH FROM TO OUT.f32 [SEED]: rows FROM..TO as one stream; prints {"events_per_s", "cpu_events_per_s"}."""
import json
import sys
import time

import numpy as np
from river import anomaly, preprocessing

path, width, first, last, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
seed = int(sys.argv[6]) if len(sys.argv) > 6 else 42
rows = np.fromfile(path, dtype=np.float32).reshape(-1, width)[first:last].astype(float)
names = [f"f{i}" for i in range(width)]
# The conversion to River's dictionaries is not counted: a user's features would be dictionaries already.
dicts = [dict(zip(names, row)) for row in rows.tolist()]
model = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=seed)
scores = np.zeros(len(dicts), dtype=np.float32)
wall, cpu = time.perf_counter(), time.process_time()
for i, x in enumerate(dicts):
    scores[i] = model.score_one(x)
    model.learn_one(x)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
scores.tofile(out)
print(json.dumps({"events_per_s": len(dicts) / wall, "cpu_events_per_s": len(dicts) / cpu}))
