// SPDX-License-Identifier: Apache-2.0
// npm openid-client against the issuer: openid_client.mjs CONFIG.json
import assert from 'node:assert/strict';
import { importJWK } from 'jose';
import * as oidc from 'openid-client';
import { api, Browser, config, please, refused, test } from './harness.mjs';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS = 'urn:ietf:params:oauth:token-type:access_token';
const server = new URL(config.url);
const callback = 'https://app.example/callback';

async function client(name, auth, metadata = {}) {
  const made = await oidc.discovery(server, config.clients[name].id, metadata, auth ?? oidc.None());
  oidc.enableNonRepudiationChecks(made); // checks signatures with our JWKS although TLS would do
  return made;
}

async function begin(made, more = {}) {
  const verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const url = oidc.buildAuthorizationUrl(made, {
    redirect_uri: callback, scope: 'openid profile email chancery', state, nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...more,
  });
  return { url, checks: { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true } };
}

async function signIn(made, browser = new Browser(), more = {}) {
  const { url, checks } = await begin(made, more);
  return oidc.authorizationCodeGrant(made, await browser.signIn(url), checks);
}

const secret = config.clients.server.secret;
const publicClient = await client('app');
const basic = await client('server', oidc.ClientSecretBasic(secret));

await test('discovery', async () => {
  const said = publicClient.serverMetadata();
  assert.equal(said.issuer, config.url);
  assert.ok(said.supportsPKCE());
  const rfc8414 = await oidc.discovery(server, config.clients.app.id, {}, oidc.None(), { algorithm: 'oauth2' });
  assert.equal(rfc8414.serverMetadata().token_endpoint, said.token_endpoint);
});

await test('code with PKCE, state, nonce, iss and a checked signature', async () => {
  const tokens = await signIn(publicClient, new Browser(), { max_age: '600' });
  const claims = tokens.claims();
  assert.equal(claims.aud, config.clients.app.id);
  assert.equal(claims.preferred_username, config.user.user);
  assert.equal(tokens.token_type, 'bearer');
  assert.ok(tokens.expiresIn() > 0);
  const who = await oidc.fetchUserInfo(publicClient, tokens.access_token, claims.sub);
  assert.equal(who.preferred_username, config.user.user);
  assert.equal((await api('/v1/me', tokens.access_token)).json.name, config.user.user);
  await refused(oidc.fetchUserInfo(publicClient, tokens.access_token, 'somebody else'), 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED');
});

await test('an answer that names another issuer is refused, and so is one without', async () => {
  for (const change of [(q) => q.set('iss', 'https://evil.example'), (q) => q.delete('iss')]) {
    const { url, checks } = await begin(publicClient);
    const back = await new Browser().signIn(url);
    change(back.searchParams);
    await refused(oidc.authorizationCodeGrant(publicClient, back, checks), 'OAUTH_INVALID_RESPONSE');
  }
});

await test('a second sign-in of the same browser needs no password', async () => {
  const browser = new Browser();
  const first = await signIn(publicClient, browser);
  const second = await signIn(publicClient, browser, { prompt: 'none' });
  assert.equal(second.claims().sub, first.claims().sub);
  assert.notEqual(second.claims().sid, undefined);
});

await test('login_required, access_denied, invalid_scope and unsupported_response_type come back as errors', async () => {
  for (const [more, options, code] of [
    [{ prompt: 'none' }, {}, 'login_required'],
    [{ prompt: 'consent' }, { decision: 'deny' }, 'access_denied'],
    [{ scope: 'openid everything' }, {}, 'invalid_scope'],
    [{ response_type: 'code token' }, {}, 'unsupported_response_type'],
    [{ code_challenge_method: 'plain' }, {}, 'invalid_request'],
  ]) {
    const { url, checks } = await begin(publicClient, more);
    await refused(oidc.authorizationCodeGrant(publicClient, await new Browser().signIn(url, options), checks), code);
  }
});

await test('a wrong verifier, and a code of another client', async () => {
  const { url, checks } = await begin(publicClient);
  const back = await new Browser().signIn(url);
  await refused(oidc.authorizationCodeGrant(publicClient, back, { ...checks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() }), 'invalid_grant');
  await refused(oidc.authorizationCodeGrant(basic, back, checks), 'invalid_grant');
  assert.ok((await oidc.authorizationCodeGrant(publicClient, back, checks)).access_token);
});

await test('a code used twice ends what it gave', async () => {
  const { url, checks } = await begin(publicClient);
  const back = await new Browser().signIn(url);
  const tokens = await oidc.authorizationCodeGrant(publicClient, back, checks);
  await refused(oidc.authorizationCodeGrant(publicClient, back, checks), 'invalid_grant');
  assert.equal((await api('/v1/me', tokens.access_token)).status, 401);
  await refused(oidc.refreshTokenGrant(publicClient, tokens.refresh_token), 'invalid_grant');
});

await test('refresh rotates, forgives a retry and ends the family at reuse', async () => {
  const first = await signIn(publicClient);
  const second = await oidc.refreshTokenGrant(publicClient, first.refresh_token);
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal(second.claims()?.sub ?? first.claims().sub, first.claims().sub);
  const retried = await oidc.refreshTokenGrant(publicClient, first.refresh_token);
  assert.equal(retried.refresh_token, second.refresh_token);
  const narrow = await oidc.refreshTokenGrant(publicClient, second.refresh_token, { scope: 'projects/read' });
  assert.equal(narrow.scope, 'projects/read');
  await refused(oidc.refreshTokenGrant(basic, narrow.refresh_token), 'invalid_grant');
  await please('let the grace pass');
  await refused(oidc.refreshTokenGrant(publicClient, first.refresh_token), 'invalid_grant');
  await refused(oidc.refreshTokenGrant(publicClient, narrow.refresh_token), 'invalid_grant');
  assert.equal((await api('/v1/me', second.access_token)).status, 401);
});

await test('code of a confidential client, by client_secret_basic and client_secret_post', async () => {
  const post = await client('server', oidc.ClientSecretPost(secret));
  for (const made of [basic, post]) assert.equal((await signIn(made)).claims().aud, config.clients.server.id);
  const wrong = await client('server', oidc.ClientSecretBasic(secret.slice(0, -1) + 'x'));
  const { url, checks } = await begin(wrong);
  await refused(oidc.authorizationCodeGrant(wrong, await new Browser().signIn(url), checks), 'invalid_client');
});

await test('client_credentials by secret', async () => {
  const tokens = await oidc.clientCredentialsGrant(basic, { scope: 'projects/read' });
  assert.equal(tokens.scope, 'projects/read');
  assert.equal(tokens.refresh_token, undefined);
  assert.equal((await api('/v1/me', tokens.access_token)).json.name, config.clients.server.account);
});

await test('client_credentials by private_key_jwt', async () => {
  const key = await importJWK(config.clients.signer.key, 'ES256');
  const made = await client('signer', oidc.PrivateKeyJwt({ key, kid: config.clients.signer.key.kid }));
  const tokens = await oidc.clientCredentialsGrant(made);
  assert.equal((await api('/v1/me', tokens.access_token)).json.name, config.clients.signer.account);
  const { privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const stranger = await client('signer', oidc.PrivateKeyJwt({ key: privateKey, kid: config.clients.signer.key.kid }));
  await refused(oidc.clientCredentialsGrant(stranger), 'invalid_client');
  const late = await client('signer', oidc.PrivateKeyJwt({ key }, { [oidc.modifyAssertion]: (_, p) => { p.exp = p.iat + 3600; } }));
  await refused(oidc.clientCredentialsGrant(late), 'invalid_client');
});

await test('unauthorized_client and unsupported_grant_type', async () => {
  await refused(oidc.clientCredentialsGrant(publicClient), 'unauthorized_client');
  await refused(oidc.genericGrantRequest(basic, 'password', { username: 'x', password: 'y' }), 'unsupported_grant_type');
  await refused(oidc.initiateDeviceAuthorization(publicClient, {}), 'unauthorized_client');
});

await test('a device is let in by somebody at a browser', async () => {
  const made = await client('device');
  const begun = await oidc.initiateDeviceAuthorization(made, { scope: 'openid chancery' });
  assert.equal(new URL(begun.verification_uri).origin, server.origin);
  const polling = oidc.pollDeviceAuthorizationGrant(made, begun);
  await new Browser().confirmDevice(begun.verification_uri_complete);
  const tokens = await polling;
  assert.equal(tokens.claims().aud, config.clients.device.id);
  assert.equal((await api('/v1/me', tokens.access_token)).json.name, config.user.user);
});

await test('a device that is refused', async () => {
  const made = await client('device');
  const begun = await oidc.initiateDeviceAuthorization(made, { scope: 'chancery' });
  await new Browser().confirmDevice(begun.verification_uri_complete, 'deny');
  await refused(oidc.pollDeviceAuthorizationGrant(made, begun), 'access_denied');
});

await test('token exchange only narrows', async () => {
  const { access_token } = await signIn(publicClient);
  const ask = (token, scope) => oidc.genericGrantRequest(basic, EXCHANGE, { subject_token: token, subject_token_type: ACCESS, scope });
  const narrow = await ask(access_token, 'projects/read');
  assert.equal(narrow.issued_token_type, ACCESS);
  assert.equal(narrow.scope, 'projects/read');
  await refused(ask(narrow.access_token, 'chancery'), 'invalid_scope');
  await refused(ask(config.foreign, 'projects/read'), 'invalid_grant');
});

await test('introspection', async () => {
  const tokens = await signIn(publicClient);
  const said = await oidc.tokenIntrospection(basic, tokens.access_token);
  assert.ok(said.active && said.client_id === config.clients.app.id && said.sub === tokens.claims().sub);
  assert.ok((await oidc.tokenIntrospection(basic, tokens.refresh_token)).active);
  assert.deepEqual(await oidc.tokenIntrospection(basic, config.foreign), { active: false });
  await refused(oidc.tokenIntrospection(publicClient, tokens.access_token), 'invalid_client');
});

await test('revocation, and the challenge that a revoked token gets', async () => {
  const tokens = await signIn(publicClient);
  await oidc.tokenRevocation(publicClient, tokens.refresh_token, { token_type_hint: 'refresh_token' });
  await refused(oidc.refreshTokenGrant(publicClient, tokens.refresh_token), 'invalid_grant');
  const e = await refused(oidc.fetchUserInfo(publicClient, tokens.access_token, tokens.claims().sub), 'OAUTH_WWW_AUTHENTICATE_CHALLENGE');
  const [challenge] = e.cause;
  assert.equal(challenge.scheme, 'bearer');
  assert.equal(challenge.parameters.error, 'invalid_token');
  assert.deepEqual(await oidc.tokenIntrospection(basic, tokens.access_token), { active: false });
});

await test('signing out with an ID token as the hint', async () => {
  const browser = new Browser();
  const tokens = await signIn(publicClient, browser);
  const bye = 'https://app.example/bye';
  const url = oidc.buildEndSessionUrl(publicClient, { post_logout_redirect_uri: bye, id_token_hint: tokens.id_token, state: 's' });
  url.searchParams.delete('client_id'); // the hint says whose it is
  const forged = new URL(url);
  forged.searchParams.set('id_token_hint', tokens.id_token.replace(/.{8}$/, 'AAAAAAAA'));
  assert.equal((await browser.go(forged)).status, 400);
  const reply = await browser.submit(await browser.go(url), {});
  assert.equal(reply.location, `${bye}?state=s`);
  assert.equal((await api('/v1/me', tokens.access_token)).status, 401);
});

process.exit(); // whatever still waits on the pipe
