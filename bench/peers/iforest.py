"""scikit-learn IsolationForest with its defaults: fitted on the rows before the judged ones, then scores those.
iforest.py ROWS.f32 WIDTH TRAIN_FROM TRAIN_TO MOST TEST_FROM TEST_TO OUT.f32; prints {"events_per_s", "fit_s"}."""
import json
import sys
import time

import numpy as np
from sklearn.ensemble import IsolationForest

path, width, a, b, most, c, d, out = sys.argv[1], *map(int, sys.argv[2:8]), sys.argv[8]
rows = np.fromfile(path, dtype=np.float32).reshape(-1, width)
train = rows[a:b]
if len(train) > most:
    train = train[np.linspace(0, len(train) - 1, most).astype(int)]
model = IsolationForest(random_state=42, n_jobs=1)
started = time.perf_counter()
model.fit(train)
fit_s = time.perf_counter() - started
started = time.perf_counter()
scores = -model.score_samples(rows[c:d])
seconds = time.perf_counter() - started
np.asarray(scores, dtype=np.float32).tofile(out)
print(json.dumps({"events_per_s": (d - c) / seconds, "fit_s": fit_s, "train_rows": len(train)}))
