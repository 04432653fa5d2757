// A login form in Express, `node express.cjs express4|express5 PORT`: body-parser and qs read it. GET /verifications says how many
// passwords of each user were verified.
const [version, port] = process.argv.slice(2);
const express = require(version);
const app = express();
const verified = {};

app.set("query parser", "extended");
app.use(express.urlencoded({ extended: true }));
app.use(express.json());
app.get("/verifications", (request, response) => response.json(verified));
app.all("/login", (request, response) => {
  if (request.method === "OPTIONS") return response.status(200).end();
  const { username, password } = { ...request.query, ...request.body };
  if (username === undefined || password === undefined) return response.send("Who are you?");
  const user = String(username);
  verified[user] = (verified[user] ?? 0) + 1;
  if (password === "correct") return response.redirect("/home");
  return response.redirect(request.get("referer") ?? "/login?error");
});
app.get("/home", (request, response) => response.send("home"));
app.listen(Number(port), "127.0.0.1");
