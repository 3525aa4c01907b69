import { render } from 'preact'
import './style.css'
import { App } from './app.tsx'
import { start } from './state.ts'

start()
const root = document.getElementById('app')
if (root !== null) render(<App />, root)
