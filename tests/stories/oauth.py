# SPDX-License-Identifier: Apache-2.0
"""A browser without JavaScript and an OAuth client, as stories need them."""
import base64
import hashlib
import html
import re
import secrets
import urllib.parse

import requests

TOKEN, AUTHORIZE, REDIRECT = "/oauth2/token", "/oauth2/authorize", "https://app.example/callback"


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def challenge(verifier):
    return b64(hashlib.sha256(verifier.encode()).digest())


class Browser:
    """Keeps cookies, follows no redirects, fills in forms."""

    def __init__(self, service):
        self.service = service
        self.session = requests.Session()
        self.session.verify = service.ca
        self.session.trust_env = False

    def get(self, path, params=None, **more):
        return self.session.get(self.service.url + path, params=params, allow_redirects=False, timeout=30, **more)

    def post(self, path, data, **more):
        return self.session.post(self.service.url + path, data=data, allow_redirects=False, timeout=30, **more)

    def form(self, page):
        found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
        return {name: html.unescape(value) for name, value in found}

    def submit(self, page, **values):
        action = re.search(r'action="([^"]+)"', page.text).group(1)
        return self.post(action, {**self.form(page), **values})


class App:
    """A client of somebody's. id is "<tenant>/<name>"; secret None for a public one."""

    def __init__(self, service, client_id, secret=None, redirect=REDIRECT):
        self.service, self.id, self.secret, self.redirect = service, client_id, secret, redirect

    def call(self, path, data, auth=True, **more):
        data = dict(data)
        if self.secret and auth:
            more["auth"] = (urllib.parse.quote(self.id, safe=""), urllib.parse.quote(self.secret, safe=""))
        else:
            data.setdefault("client_id", self.id)
        return requests.post(self.service.url + path, data=data, verify=self.service.ca, timeout=30, **more)

    def ask(self, **changes):
        """Parameters of an authorization request, and the verifier for its code."""
        verifier = secrets.token_urlsafe(48)
        wanted = {"response_type": "code", "client_id": self.id, "redirect_uri": self.redirect,
                  "scope": "openid profile chancery", "state": secrets.token_urlsafe(8),
                  "nonce": secrets.token_urlsafe(8), "code_challenge": challenge(verifier),
                  "code_challenge_method": "S256", **changes}
        return {k: v for k, v in wanted.items() if v is not None}, verifier

    def sign_in(self, browser, person, **changes):
        """(parameters of the answer, verifier, the request)"""
        wanted, verifier = self.ask(**changes)
        reply = browser.get(AUTHORIZE, wanted)
        if reply.status_code == 200 and 'name="password"' in reply.text:
            reply = browser.submit(reply, user=person.name, password=person.password)
        return answer(reply), verifier, wanted

    def redeem(self, code, verifier, **changes):
        body = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect,
                "code_verifier": verifier, **changes}
        return self.call(TOKEN, {k: v for k, v in body.items() if v is not None})

    def tokens(self, browser, person, **changes):
        got, verifier, _ = self.sign_in(browser, person, **changes)
        reply = self.redeem(got["code"], verifier)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def refresh(self, token, **more):
        return self.call(TOKEN, {"grant_type": "refresh_token", "refresh_token": token, **more})


def answer(reply):
    assert reply.status_code == 303, f"{reply.status_code} {reply.text[:1500]}"
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(reply.headers["Location"]).query))
