// SPDX-License-Identifier: Apache-2.0
// What the client scripts share: a line a test, a browser without JavaScript, and somebody who sees to the service.
import assert from 'node:assert/strict';
import fs from 'node:fs';

export const config = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));

// The test that started us does what only it can: move clocks in the database, …
export function please(what) {
  console.log(`please ${what}`);
  process.stdin.resume();
  return new Promise((done) => {
    process.stdin.once('data', () => {
      process.stdin.pause();
      done();
    });
  });
}

export async function test(name, body) {
  try {
    await body();
    console.log(`ok ${name}`);
  } catch (e) {
    const why = [e, e.cause].filter(Boolean).map((x) => x.stack ?? JSON.stringify(x)).join(' | ');
    console.log(`not ok ${name}\t${why.replaceAll('\n', ' ')}`);
  }
}

// The promise must fail with that OAuth error, or that code of the library.
export async function refused(promise, code) {
  let value;
  try {
    value = await promise;
  } catch (e) {
    const codes = [e.error, e.code, e.cause?.error, e.cause?.code].filter(Boolean);
    const reply = e.response ?? e.cause?.response;
    if (reply && !reply.bodyUsed) codes.push((await reply.json()).error); // under a challenge they do not look into it
    assert.ok(codes.includes(code), `${code} was wanted, not ${codes}: ${e.message}`);
    return e;
  }
  return assert.fail(`${code} was wanted, not ${JSON.stringify(value)}`);
}

const entities = { '&quot;': '"', '&#39;': "'", '&lt;': '<', '&gt;': '>', '&amp;': '&' };

export class Browser {
  cookies = new Map();

  async go(url, form) {
    const reply = await fetch(url, {
      redirect: 'manual',
      method: form ? 'POST' : 'GET',
      body: form && new URLSearchParams(form),
      headers: { cookie: [...this.cookies].map(([k, v]) => `${k}=${v}`).join('; '), ...(form && { origin: config.url }) },
    });
    for (const cookie of reply.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      this.cookies.set(name, value);
    }
    return { status: reply.status, location: reply.headers.get('location'), text: await reply.text() };
  }

  submit(page, values) {
    const action = /action="([^"]+)"/.exec(page.text)[1];
    const hidden = [...page.text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)]
      .map(([, name, value]) => [name, value.replace(/&[a-z0-9#]+;/g, (e) => entities[e])]);
    return this.go(new URL(action, config.url), { ...Object.fromEntries(hidden), ...values });
  }

  // Through our pages, as the person; where the client is sent back to.
  async signIn(url, { decision = 'allow', user = config.user } = {}) {
    let page = await this.go(url);
    if (page.status === 200 && page.text.includes('name="password"')) page = await this.submit(page, user);
    if (page.status === 200 && page.text.includes('name="decision"')) page = await this.submit(page, { decision });
    assert.equal(page.status, 303, page.text);
    return new URL(page.location);
  }

  async confirmDevice(uri, decision = 'allow') {
    let page = await this.go(uri);
    page = await this.submit(page, { tenant: config.tenant, ...config.user });
    page = await this.go(new URL(page.location, config.url));
    page = await this.submit(page, { decision });
    assert.equal(page.status, 200, page.text);
  }
}

// The interface, as somebody with that token.
export async function api(path, token) {
  const reply = await fetch(config.url + path, { headers: { authorization: `Bearer ${token}` } });
  return { status: reply.status, json: await reply.json(), challenge: reply.headers.get('www-authenticate') };
}
