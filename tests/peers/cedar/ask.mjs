// SPDX-License-Identifier: Apache-2.0
// Reads what tests/tools/ask_policy prints and asks Cedar each question: groups become entity parents as of the
// question's time, a ceiling becomes a forbid … unless. Prints {"asked", "allowed", "differ"} and the first differences.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.argv[2] + "/");
const cedar = require("@cedar-policy/cedar-wasm/nodejs");

let roles, projects, world, policies, result = { asked: 0, allowed: 0, differ: 0, examples: [] };
const uid = (type, id) => ({ type, id: String(id) });
const actions = (role) => "[" + roles[role].map((a) => `Action::"${a}"`).join(", ") + "]";
const span = (g) => `context.now >= ${g.from} && context.now < ${g.until}`;
const covers = (g) => `(resource in Scope::"${g.scope}" && ${span(g)} && [${roles[g.role].join(", ")}].contains(context.action))`;

function policyOf(g) {
  const holder = g.group === -2 ? "principal" : g.group >= 0 ? `principal in Group::"${g.group}"` : `principal == User::"${g.principal}"`;
  const level = g.level < 0 ? "" : ` && resource.level <= ${g.level}`;
  return `${g.kind === "deny" ? "forbid" : "permit"}(${holder}, action in ${actions(g.role)}, resource in Scope::"${g.scope}")` +
    ` when { ${span(g)}${level} };`;
}

function begin(w) {
  world = w;
  const lines = w.grants.filter((g) => g.kind === "allow" || g.kind === "deny").map(policyOf);
  for (const p of w.principals.keys()) {
    const mine = w.grants.filter((g) => g.kind === "ceiling" && g.principal === p);
    if (mine.length) lines.push(`forbid(principal == User::"${p}", action, resource) unless { ${mine.map(covers).join(" || ")} };`);
  }
  lines.push("forbid(principal, action, resource) unless { principal.alive };");
  policies = lines.join("\n");
}

function entities(now) {
  const during = world.members.filter((m) => now >= m.from && now < m.until);
  const alive = (p) => world.active && p.active && (p.owner < 0 || world.principals[p.owner].active);
  const parents = (child, id) => during.filter((m) => m[child] === id).map((m) => uid("Group", m.group));
  const made = world.principals.map((p, i) => ({ uid: uid("User", i), attrs: { alive: alive(p) }, parents: parents("principal", i) }));
  for (let g = 0; g < 8; g++) made.push({ uid: uid("Group", g), attrs: {}, parents: parents("child", g) });
  const scope = (i, level, above) => ({ uid: uid("Scope", i), attrs: { level }, parents: above.map((a) => uid("Scope", a)) });
  made.push(scope(0, 0, []), scope(1, 0, [0]));
  for (let p = 0; p < projects; p++) made.push(scope(2 + p, 0, [1]));
  world.assets.forEach((a, i) => made.push(scope(2 + projects + i, a.level, [2 + a.project])));
  return made;
}

function ask([principal, action, scope, now], expected) {
  const answer = cedar.isAuthorized({
    principal: uid("User", principal), action: uid("Action", action), resource: uid("Scope", scope),
    context: { now, action }, policies: { staticPolicies: policies }, entities: entities(now),
  });
  if (answer.type !== "success") throw new Error(JSON.stringify(answer));
  const allowed = answer.response.decision === "allow";
  result.asked++;
  result.allowed += allowed;
  if (allowed !== expected || answer.response.diagnostics.errors.length) {
    result.differ++;
    if (result.examples.length < 3) result.examples.push({ q: [principal, action, scope, now], expected, policies, answer });
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const item = JSON.parse(line);
  if (item.roles) ({ roles, projects } = item);
  else if (item.world) begin(item.world);
  else ask(item.q, item.allowed);
}
console.log(JSON.stringify(result));
