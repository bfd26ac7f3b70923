#!/usr/bin/env node
// In the repository and not in dist, so that a package manager can link it before anything is built.
import '../dist/shot/main.js';
