import { get, numberAfter } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const tomcat: Program = {
  name: 'tomcat', packages: ['openjdk-17-jdk-headless', 'tomcat10'], version: ['dpkg-query', '-W', 'tomcat10'], command: ['./start.sh'],
  parts: 'a JSP', visit: async (site) => numberAfter(await get(site), 'visits'),
};
