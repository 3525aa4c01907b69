"""PyOD AutoEncoder with its defaults: fitted on the rows before the judged ones, then scores those.
autoencoder.py ROWS.f32 WIDTH TRAIN_FROM TRAIN_TO MOST TEST_FROM TEST_TO OUT.f32 [SEED]; prints {"events_per_s", "fit_s"}."""
import json
import sys
import time

import numpy as np
import torch
from pyod.models.auto_encoder import AutoEncoder

torch.set_num_threads(1)
path, width, a, b, most, c, d, out = sys.argv[1], *map(int, sys.argv[2:8]), sys.argv[8]
seed = int(sys.argv[9]) if len(sys.argv) > 9 else 42
rows = np.fromfile(path, dtype=np.float32).reshape(-1, width)
train = rows[a:b]
if len(train) > most:
    train = train[np.linspace(0, len(train) - 1, most).astype(int)]
# A feature that is constant in training would be divided by zero in the standardisation.
train = train + np.random.default_rng(0).normal(0, 1e-6, train.shape).astype(np.float32)
model = AutoEncoder(random_state=seed, verbose=0)
started = time.perf_counter()
model.fit(train)
fit_s = time.perf_counter() - started
started = time.perf_counter()
scores = model.decision_function(rows[c:d])
seconds = time.perf_counter() - started
np.asarray(scores, dtype=np.float32).tofile(out)
print(json.dumps({"events_per_s": (d - c) / seconds, "fit_s": fit_s, "train_rows": len(train)}))
