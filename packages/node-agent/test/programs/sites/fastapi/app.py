"""Counted in memory; a task of the event loop ticks."""
import asyncio
import random
import secrets
import uuid

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI()
state = {"visits": 0, "ticks": 0}


async def tick():
    while True:
        await asyncio.sleep(0.05)
        state["ticks"] += 1


@app.on_event("startup")
async def begin():
    state["task"] = asyncio.create_task(tick())


@app.get("/ticks")
async def ticks():
    return PlainTextResponse("ticks %d" % state["ticks"])


@app.get("/draws")
async def draws():
    return PlainTextResponse("\n".join([str(random.random()), str(uuid.uuid4()), secrets.token_hex(8)]))


@app.get("/")
async def visits():
    state["visits"] += 1
    return PlainTextResponse("visits %d" % state["visits"])
