"""The login form in Flask, `python flask_login.py PORT`: Werkzeug reads it."""

import sys

from flask import Flask, jsonify, redirect, request

app = Flask(__name__)
verified = {}


@app.get("/verifications")
def verifications():
    return jsonify(verified)


@app.route("/login", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def login():
    user, password = request.values.get("username"), request.values.get("password")
    if user is None or password is None:
        return "Who are you?"
    verified[user] = verified.get(user, 0) + 1
    return redirect("/home" if password == "correct" else request.headers.get("Referer", "/login?error"))


app.run("127.0.0.1", int(sys.argv[1]))
