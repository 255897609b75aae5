// SPDX-License-Identifier: Apache-2.0
// npm jose on our tokens, and our verifier on jose's: jose.mjs CONFIG.json
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import * as jose from 'jose';
import { api, config, please, test } from './harness.mjs';

const keys = jose.createRemoteJWKSet(new URL(`${config.url}/oauth2/jwks`), { cooldownDuration: 0 });
const rules = { issuer: config.url, audience: 'chancery', typ: 'at+jwt', algorithms: ['ES256'] };

async function signIn() {
  const reply = await fetch(`${config.url}/v1/login`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ tenant: config.tenant, user: config.user.user, password: config.user.password }),
  });
  return (await reply.json()).access_token;
}

await test('access tokens verify with the key set, before and after the key changes', async () => {
  const old = await signIn();
  const { protectedHeader: before, payload } = await jose.jwtVerify(old, keys, rules);
  assert.equal(payload.exp - payload.iat <= 3600, true);
  await please('use a new signing key');
  const { protectedHeader: after } = await jose.jwtVerify(await signIn(), keys, rules);
  assert.notEqual(after.kid, before.kid);
  await jose.jwtVerify(old, keys, rules);
  assert.equal((await api('/v1/me', old)).status, 200);
});

await test('ID tokens verify with the key set, for their client alone', async () => {
  const { payload } = await jose.jwtVerify(config.id_token, keys, { issuer: config.url, audience: config.clients.app.id, typ: 'JWT' });
  assert.ok(payload.sub && payload.nonce && payload.auth_time);
  await assert.rejects(jose.jwtVerify(config.id_token, keys, rules), jose.errors.JWTClaimValidationFailed);
});

await test('the key set has public halves only, each with its use', async () => {
  const { keys: all } = await (await fetch(`${config.url}/oauth2/jwks`)).json();
  assert.ok(all.length > 1);
  assert.equal(new Set(all.map((k) => k.kid)).size, all.length);
  for (const key of all) {
    assert.deepEqual(Object.keys(key).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    await jose.calculateJwkThumbprint(key);
  }
});

await test('a token that was changed anywhere does not verify there, nor pass here', async () => {
  const [header, payload, signature] = (await signIn()).split('.');
  const other = Buffer.from(JSON.stringify({ ...jose.decodeJwt(`${header}.${payload}.`), name: 'admin' })).toString('base64url');
  for (const bad of [`${header}.${other}.${signature}`, `${header}.${payload}.${signature.slice(0, -8)}AAAAAAAA`, `${header}.${payload}.`]) {
    await assert.rejects(jose.jwtVerify(bad, keys, rules));
    assert.equal((await api('/v1/me', bad)).status, 401);
  }
});

// From here on jose signs, with the service's own key, which only this test can have: every fault is the only one.
const { kid, pkcs8 } = config.signing;
const ours = createPrivateKey({ key: Buffer.from(pkcs8, 'base64'), format: 'der', type: 'pkcs8' });
const real = jose.decodeJwt(await signIn());
const now = () => Math.floor(Date.now() / 1000);
const fresh = () => ({ ...real, iat: now() - 5, exp: now() + 600 });
const sign = (claims, header = {}, key = ours) => new jose.SignJWT(claims)
  .setProtectedHeader({ alg: 'ES256', kid, typ: 'at+jwt', ...header }).sign(key);

await test("jose's own good token is taken", async () => {
  assert.equal((await api('/v1/me', await sign(fresh()))).status, 200);
  assert.equal((await api('/v1/me', await sign({ ...fresh(), nbf: now() - 5 }))).status, 200);
});

const faults = {
  'iss of someone else': { iss: 'https://evil.example' }, 'iss with a slash more': { iss: `${config.url}/` }, 'no iss': { iss: undefined },
  'aud of someone else': { aud: 'mlflow' }, 'aud of us among others': { aud: ['chancery', 'mlflow'] }, 'no aud': { aud: undefined },
  'no sub': { sub: undefined }, 'sub of nobody': { sub: '00000000-0000-7000-8000-000000000000' }, 'sub no id': { sub: 'admin' },
  'no exp': { exp: undefined }, 'expired': { iat: now() - 900, exp: now() - 1 }, 'exp a text': { exp: `${now() + 600}` },
  'exp a real number': { exp: now() + 600.5 }, 'exp next year': { exp: now() + 31536000 },
  'no iat': { iat: undefined }, 'iat in the future': { iat: now() + 300 }, 'nbf in the future': { nbf: now() + 300 }, 'nbf a text': { nbf: '0' },
  'no jti': { jti: undefined }, 'no tenant': { tenant_id: undefined }, 'another tenant': { tenant_id: config.foreign_tenant },
  'sid no id': { sid: 'x' }, 'sid of no session': { sid: '00000000-0000-7000-8000-000000000000' },
};
for (const [name, change] of Object.entries(faults))
  await test(`refused: ${name}`, async () => {
    const claims = { ...fresh(), ...change };
    const encoded = Object.fromEntries(Object.entries(claims).filter(([, v]) => v !== undefined));
    const text = new TextEncoder().encode(JSON.stringify(encoded));
    const token = await new jose.CompactSign(text).setProtectedHeader({ alg: 'ES256', kid, typ: 'at+jwt' }).sign(ours);
    const { status, challenge } = await api('/v1/me', token);
    assert.equal(status, 401);
    assert.match(challenge, /^Bearer/);
  });

const headers = {
  'typ JWT': { typ: 'JWT' }, 'typ in capitals': { typ: 'AT+JWT' }, 'no typ': { typ: undefined }, 'no kid': { kid: undefined },
  'kid unknown': { kid: 'AAAAAAAAAAAAAAAA' }, 'kid a path': { kid: '../../dev/null' }, 'jku': { jku: 'https://evil.example/jwks' },
  'x5u': { x5u: 'https://evil.example/c' }, 'x5t#S256': { 'x5t#S256': 'AA' }, 'jwk': { jwk: { kty: 'EC' } }, 'cty': { cty: 'JWT' },
};
for (const [name, change] of Object.entries(headers))
  await test(`refused: header ${name}`, async () => assert.equal((await api('/v1/me', await sign(fresh(), change))).status, 401));

await test('refused: other keys and algorithms of jose', async () => {
  const stranger = await jose.generateKeyPair('ES256');
  assert.equal((await api('/v1/me', await sign(fresh(), {}, stranger.privateKey))).status, 401);
  for (const alg of ['RS256', 'PS256', 'ES384', 'ES512', 'EdDSA']) {
    const { privateKey } = await jose.generateKeyPair(alg);
    assert.equal((await api('/v1/me', await sign(fresh(), { alg }, privateKey))).status, 401, alg);
  }
  const jwk = (await (await fetch(`${config.url}/oauth2/jwks`)).json()).keys.find((k) => k.kid === kid);
  const pem = await jose.exportSPKI(await jose.importJWK(jwk, 'ES256', { extractable: true }));
  for (const secret of [pem, pem.trim(), JSON.stringify(jwk), jwk.x, ' '.repeat(32)])
    assert.equal((await api('/v1/me', await sign(fresh(), { alg: 'HS256' }, new TextEncoder().encode(secret.padEnd(32))))).status, 401);
  assert.equal((await api('/v1/me', new jose.UnsecuredJWT(fresh()).encode())).status, 401);
  const jwe = await new jose.EncryptJWT(fresh()).setProtectedHeader({ alg: 'dir', enc: 'A256GCM' }).encrypt(new Uint8Array(32));
  assert.equal((await api('/v1/me', jwe)).status, 401);
  const flattened = await new jose.FlattenedSign(new TextEncoder().encode(JSON.stringify(fresh())))
    .setProtectedHeader({ alg: 'ES256', kid, typ: 'at+jwt' }).sign(ours);
  assert.equal((await api('/v1/me', Buffer.from(JSON.stringify(flattened)).toString('base64url'))).status, 401);
  const detached = await new jose.FlattenedSign(new TextEncoder().encode(JSON.stringify(fresh())))
    .setProtectedHeader({ alg: 'ES256', kid, typ: 'at+jwt', b64: false, crit: ['b64'] }).sign(ours);
  assert.equal((await api('/v1/me', `${detached.protected}.${detached.payload}.${detached.signature}`)).status, 401);
});

process.exit(); // whatever still waits on the pipe
