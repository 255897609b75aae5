// SPDX-License-Identifier: Apache-2.0
// npm oauth4webapi, which takes nothing for granted, against the issuer: oauth4webapi.mjs CONFIG.json
import assert from 'node:assert/strict';
import { importJWK } from 'jose';
import * as oauth from 'oauth4webapi';
import { api, Browser, config, please, refused, test } from './harness.mjs';

const issuer = new URL(config.url);
const redirect = 'https://app.example/callback';
const app = { client_id: config.clients.app.id };
const server = { client_id: config.clients.server.id };
const bySecret = oauth.ClientSecretBasic(config.clients.server.secret);

let as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));

async function code(client, browser = new Browser(), more = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: client.client_id, redirect_uri: redirect, response_type: 'code', scope: 'openid email chancery', state, nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...more,
  });
  const back = await browser.signIn(url);
  return { answer: oauth.validateAuthResponse(as, client, back, state), verifier, nonce, back, state };
}

async function redeem(client, auth, got, more = {}) {
  const reply = await oauth.authorizationCodeGrantRequest(as, client, auth, got.answer, more.redirect ?? redirect, more.verifier ?? got.verifier);
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, reply, { expectedNonce: got.nonce, requireIdToken: true, ...more.checks });
  await oauth.validateApplicationLevelSignature(as, reply);
  return tokens;
}

const signIn = async (client = app, auth = oauth.None(), ...more) => redeem(client, auth, await code(client, ...more));
const refresh = async (client, auth, token, more) => oauth.processRefreshTokenResponse(as, client,
  await oauth.refreshTokenGrantRequest(as, client, auth, token, { additionalParameters: more }));

await test('metadata by OpenID Connect and by RFC 8414', async () => {
  const other = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' }));
  assert.deepEqual(other, as);
  const wrong = new URL('https://other.example');
  await refused(oauth.processDiscoveryResponse(wrong, await oauth.discoveryRequest(issuer)), 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED');
});

await test('the code flow, an ID token with a checked signature, userinfo', async () => {
  const got = await code(app, new Browser(), { max_age: '600' });
  const tokens = await redeem(app, oauth.None(), got, { checks: { maxAge: 600 } });
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  const who = await oauth.processUserInfoResponse(as, app, claims.sub, await oauth.userInfoRequest(as, app, tokens.access_token));
  assert.equal(who.sub, claims.sub);
});

await test('the access token is one of RFC 9068', async () => {
  const { access_token } = await signIn();
  const request = new Request(`${config.url}/v1/me`, { headers: { authorization: `Bearer ${access_token}` } });
  const claims = await oauth.validateJwtAccessToken(as, request, 'chancery');
  assert.equal(claims.client_id, app.client_id);
  const machine = await oauth.processClientCredentialsResponse(as, server, await oauth.clientCredentialsGrantRequest(as, server, bySecret, {}));
  const theirs = new Request(`${config.url}/v1/me`, { headers: { authorization: `Bearer ${machine.access_token}` } });
  assert.equal((await oauth.validateJwtAccessToken(as, theirs, 'chancery')).client_id, server.client_id);
  await refused(oauth.validateJwtAccessToken(as, request, 'elsewhere'), 'OAUTH_JWT_CLAIM_COMPARISON_FAILED');
});

await test('an ID token is no access token, and no access token is an ID token', async () => {
  const tokens = await signIn();
  assert.equal((await api('/v1/me', tokens.id_token)).status, 401);
  const request = new Request(`${config.url}/v1/me`, { headers: { authorization: `Bearer ${tokens.id_token}` } });
  await refused(oauth.validateJwtAccessToken(as, request, app.client_id), 'OAUTH_INVALID_RESPONSE');
});

await test('an answer with another issuer or state does not pass', async () => {
  const got = await code(app);
  for (const [name, value] of [['iss', 'https://evil.example'], ['state', 'another']]) {
    const back = new URL(got.back);
    back.searchParams.set(name, value);
    assert.throws(() => oauth.validateAuthResponse(as, app, back, got.state), { code: 'OAUTH_INVALID_RESPONSE' });
  }
});

await test('verifier, redirect_uri, client and PKCE are held against the code', async () => {
  const got = await code(app);
  await refused(redeem(app, oauth.None(), got, { verifier: oauth.generateRandomCodeVerifier() }), 'invalid_grant');
  await refused(redeem(app, oauth.None(), got, { verifier: oauth.nopkce }), 'invalid_grant');
  await refused(redeem(app, oauth.None(), got, { redirect: 'https://app.example/other' }), 'invalid_grant');
  await refused(redeem(server, bySecret, got), 'invalid_grant');
  assert.ok(await redeem(app, oauth.None(), got));
  await refused(redeem(app, oauth.None(), got), 'invalid_grant');
});

await test('refresh: rotation, grace, reuse', async () => {
  const first = (await signIn()).refresh_token;
  const second = await refresh(app, oauth.None(), first);
  assert.equal((await refresh(app, oauth.None(), first)).refresh_token, second.refresh_token);
  await refused(refresh(app, oauth.None(), second.refresh_token, { scope: 'openid everything' }), 'invalid_scope');
  await refused(refresh(server, bySecret, second.refresh_token), 'invalid_grant');
  await please('let the grace pass');
  await refused(refresh(app, oauth.None(), first), 'invalid_grant');
  await refused(refresh(app, oauth.None(), second.refresh_token), 'invalid_grant');
});

await test('a family of refresh tokens does not outlive its person', async () => {
  const { refresh_token } = await signIn(app, oauth.None(), new Browser());
  await please('disable the person');
  await refused(refresh(app, oauth.None(), refresh_token), 'invalid_grant');
  await please('enable the person');
});

await test('client_credentials by secret in header and body, and by private_key_jwt once', async () => {
  const ask = async (client, auth) => oauth.processClientCredentialsResponse(as, client, await oauth.clientCredentialsGrantRequest(as, client, auth, {}));
  assert.ok(await ask(server, bySecret));
  assert.ok(await ask(server, oauth.ClientSecretPost(config.clients.server.secret)));
  const signer = { client_id: config.clients.signer.id };
  const key = await importJWK(config.clients.signer.key, 'ES256');
  assert.ok(await ask(signer, oauth.PrivateKeyJwt({ key, kid: config.clients.signer.key.kid })));
  const change = (what) => oauth.PrivateKeyJwt(key, { [oauth.modifyAssertion]: (header, payload) => what(payload, header) });
  assert.ok(await ask(signer, change((p) => { p.jti = 'said twice'; })));
  for (const what of [(p) => { p.jti = 'said twice'; }, (p) => { p.aud = 'https://other.example'; }, (p) => { p.exp += 3600; },
    (p) => { p.exp = p.iat - 1; }, (p) => { p.nbf = p.iat + 3600; }, (p) => { p.iss = app.client_id; }, (p) => { delete p.jti; },
    (_, h) => { h.alg = 'none'; }, (_, h) => { h.kid = 'another'; }, (_, h) => { h.crit = ['exp']; }])
    await refused(ask(signer, change(what)), 'invalid_client');
  await refused(ask(server, oauth.ClientSecretJwt(config.clients.server.secret)), 'invalid_client');
  await refused(ask(server, oauth.None()), 'invalid_client');
});

await test('a device asks too often and waits', async () => {
  const device = { client_id: config.clients.device.id };
  const poll = async (c) => oauth.processDeviceCodeResponse(as, device, await oauth.deviceCodeGrantRequest(as, device, oauth.None(), c));
  const begun = await oauth.processDeviceAuthorizationResponse(as, device,
    await oauth.deviceAuthorizationRequest(as, device, oauth.None(), { scope: 'openid chancery' }));
  await refused(poll(begun.device_code), 'authorization_pending');
  await refused(poll(begun.device_code), 'slow_down');
  await new Browser().confirmDevice(begun.verification_uri_complete);
  await please('let the device ask again');
  const tokens = await poll(begun.device_code);
  assert.ok(tokens.access_token && oauth.getValidatedIdTokenClaims(tokens));
  await refused(poll(begun.device_code), 'invalid_grant');
});

await test('introspection and revocation', async () => {
  const tokens = await signIn();
  const look = async (token) => oauth.processIntrospectionResponse(as, server, await oauth.introspectionRequest(as, server, bySecret, token));
  assert.ok((await look(tokens.access_token)).active);
  const give = async (client, auth, token) => oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, token));
  await give(server, bySecret, tokens.access_token);
  assert.ok((await look(tokens.access_token)).active, 'not the token of this client');
  await give(app, oauth.None(), tokens.access_token);
  assert.deepEqual(await look(tokens.access_token), { active: false });
  assert.deepEqual(await look(tokens.refresh_token), { active: false });
  await give(app, oauth.None(), 'nonsense');
  await refused(give({ client_id: 'acme/never-was' }, oauth.None(), 'x'), 'invalid_client');
});

await test('pushed requests, dynamic registration and back-channel authentication are not offered', async () => {
  for (const name of ['pushed_authorization_request_endpoint', 'registration_endpoint', 'backchannel_authentication_endpoint'])
    assert.equal(as[name], undefined);
});

process.exit(); // whatever still waits on the pipe
