// SPDX-License-Identifier: Apache-2.0
// oauth2-mock-server as a hostile identity provider: hostile.mjs PORT CERT KEY PLAN
// PLAN is a JSON file, read for every token: {"claims": {…}, "header": {…}, "break": true}
import fs from 'node:fs';
import { OAuth2Server } from 'oauth2-mock-server';

const [port, cert, key, plan] = process.argv.slice(2);
const server = new OAuth2Server(key, cert);
await server.issuer.keys.generate('RS256');
server.issuer.url = `https://localhost:${port}`;
server.service.on('beforeTokenSigning', (token) => {
  const { claims = {}, header = {} } = JSON.parse(fs.readFileSync(plan, 'utf8'));
  Object.assign(token.payload, claims);
  Object.assign(token.header, header);
});
server.service.on('beforeResponse', (response) => {
  const { break: broken, header = {} } = JSON.parse(fs.readFileSync(plan, 'utf8'));
  if (!response.body.id_token) return;
  const parts = response.body.id_token.split('.');
  if (broken) parts[2] = parts[2].slice(0, -8) + 'AAAAAAAA';
  if (header.unsigned) {
    parts[0] = Buffer.from('{"alg":"none"}').toString('base64url');
    parts[2] = '';
  }
  response.body.id_token = parts.join('.');
});
await server.start(Number(port), 'localhost');
console.log('ready');
