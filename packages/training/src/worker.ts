import { parentPort, workerData } from 'node:worker_threads'
import { trainAutoencoder, type TrainOptions } from './autoencoder.ts'

// Entry of the training thread: jobs given as workerData, one message per trained net, in order.
for (const job of workerData as readonly TrainOptions[]) parentPort!.postMessage(await trainAutoencoder(job))
