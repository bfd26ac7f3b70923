import { counter, draws } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const jvm: Program = {
  name: 'jvm', packages: ['openjdk-17-jdk-headless'], version: ['java', '-version'], build: [['javac', 'Counter.java']],
  command: ['java', '-Xmx128m', 'Counter'],
  parts: 'com.sun.net.httpserver', ...counter, draws,
};
