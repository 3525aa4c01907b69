import { parentPort, workerData } from 'node:worker_threads'
import { trainAutoencoder, type TrainOptions } from './autoencoder.ts'

// Entry of the training thread: one job, given as workerData, one answer.
const trained = await trainAutoencoder(workerData as TrainOptions)
parentPort!.postMessage(trained)
