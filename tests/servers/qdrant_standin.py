"""A server that speaks the part of Qdrant's REST API that our adapter uses.

It is what can be had where Qdrant's server cannot: no package registry holds that. What stores,
searches and filters is Qdrant's own engine (qdrant-edge), the same Rust code that the server is
built from; requests are read with the models of Qdrant's own client, so that a field it does not
know is refused. What is *not* Qdrant is the layer between: routes, status codes and words are
written after its sources, for one node and one request at a time. It has no cluster, no strict
mode, no index building in the background, and it keeps what it has acknowledged through ``kill -9``
but does not sync it against power loss. So a test against it shows that our requests are understood
and mean what we think; whether a Qdrant server does the same shows with TEST_QDRANT_URL alone.

Run as ``python -m tests.servers.qdrant_standin --port P --folder DIR [--api-key KEY]``: a process
of its own, since the engine holds Python's lock in every call. ``/at/PLACE/...`` is a server for
itself, so that tests need not share one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from pydantic import BaseModel, TypeAdapter
from qdrant_client import models
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from tests.servers.qdrant_collections import AnswerError, Collection, Place

_Body = TypeVar("_Body", bound=BaseModel)
_Work = Callable[[Place, Request], Awaitable[Any]]

_SPOKEN = "1.18.0"
_DONE = {"operation_id": 1, "status": "completed"}


class Standin:
    """The places below a folder, each opened at its first use."""

    def __init__(self, folder: Path, api_key: str) -> None:
        self._folder = folder
        self._api_key = api_key
        self._places: dict[str, Place] = {}

    def app(self) -> Starlette:
        routes = [
            Route("/", _version),
            self._route("GET", "/collections", _names),
            self._route("GET", "/aliases", _aliases),
            self._route("POST", "/collections/aliases", _change_aliases),
            self._route("GET", "/collections/{name}", _info),
            self._route("PUT", "/collections/{name}", _create),
            self._route("PATCH", "/collections/{name}", _update),
            self._route("DELETE", "/collections/{name}", _remove),
            self._route("PUT", "/collections/{name}/index", _index),
            self._route("PUT", "/collections/{name}/points", _upsert),
            self._route("POST", "/collections/{name}/points/batch", _change),
            self._route("POST", "/collections/{name}/points/delete", _delete),
            self._route("POST", "/collections/{name}/points/query/batch", _query),
            self._route("POST", "/collections/{name}/points/scroll", _scroll),
            self._route("POST", "/collections/{name}/points/count", _count),
            self._route("POST", "/collections/{name}/facet", _facet),
        ]
        return Starlette(routes=[*routes, Mount("/at/{place}", routes=routes)], lifespan=self._life)

    @asynccontextmanager
    async def _life(self, app: Starlette) -> Any:
        yield
        for place in self._places.values():
            place.close()

    def _route(self, method: str, path: str, work: _Work) -> Route:
        async def answer(request: Request) -> Response:
            began = time.perf_counter()
            if self._api_key and request.headers.get("api-key") != self._api_key:
                return Response("Must provide an API key or an Authorization bearer token", 401)
            status, result = 200, None
            told: str | dict[str, str] = "ok"
            try:
                result = await work(self._place(request), request)
            except AnswerError as error:
                status, told = error.status, _error(str(error))
            except ValueError as error:
                status, told = 400, _error(f"Format error in JSON body: {error}")
            except Exception as error:
                if type(error) is not Exception:
                    raise
                status = 404 if "No point with id" in str(error) else 400
                told = _error(f"Wrong input: {error}")
            took = time.perf_counter() - began
            return JSONResponse({"result": result, "status": told, "time": took}, status)

        return Route(path, answer, methods=[method])

    def _place(self, request: Request) -> Place:
        name = request.path_params.get("place", "")
        if name not in self._places:
            folder = self._folder / "at" / name if name else self._folder / "here"
            self._places[name] = Place(folder)
        return self._places[name]


async def _version(request: Request) -> Response:
    return JSONResponse({"title": "stand-in for a Qdrant server", "version": _SPOKEN})


async def _names(place: Place, request: Request) -> Any:
    return {"collections": [{"name": name} for name in place.names]}


async def _aliases(place: Place, request: Request) -> Any:
    pairs = place.aliases.items()
    return {"aliases": [{"alias_name": alias, "collection_name": at} for alias, at in pairs]}


async def _change_aliases(place: Place, request: Request) -> Any:
    return place.change_aliases(await _body(request, models.ChangeAliasesOperation))


async def _info(place: Place, request: Request) -> Any:
    return _collection(place, request).info()


async def _create(place: Place, request: Request) -> Any:
    return place.create(request.path_params["name"], await _body(request, models.CreateCollection))


async def _update(place: Place, request: Request) -> Any:
    change = await _body(request, models.UpdateCollection)
    return _collection(place, request).update(change)


async def _remove(place: Place, request: Request) -> Any:
    return place.remove(request.path_params["name"])


async def _index(place: Place, request: Request) -> Any:
    wanted = await _body(request, models.CreateFieldIndex)
    _collection(place, request).index(wanted)
    return _DONE


async def _upsert(place: Place, request: Request) -> Any:
    points = (await _body(request, models.PointsList)).points
    _collection(place, request).upsert(points)
    return _DONE


async def _change(place: Place, request: Request) -> Any:
    operations = (await _body(request, models.UpdateOperations)).operations
    collection = _collection(place, request)
    for operation in operations:
        if not isinstance(operation, models.SetPayloadOperation):
            raise AnswerError(501, f"the stand-in cannot do {operation}")
        collection.set_payload(operation.set_payload)
    return [_DONE] * len(operations)


async def _delete(place: Place, request: Request) -> Any:
    where = (await _body(request, models.FilterSelector)).filter
    _collection(place, request).delete(where)
    return _DONE


async def _query(place: Place, request: Request) -> Any:
    searches = (await _body(request, models.QueryRequestBatch)).searches
    return _collection(place, request).query(searches)


async def _scroll(place: Place, request: Request) -> Any:
    wanted = await _body(request, models.ScrollRequest)
    return _collection(place, request).scroll(wanted)


async def _count(place: Place, request: Request) -> Any:
    wanted = await _body(request, models.CountRequest)
    return _collection(place, request).count(wanted)


async def _facet(place: Place, request: Request) -> Any:
    wanted = await _body(request, models.FacetRequest)
    return _collection(place, request).facet(wanted)


def _error(words: str) -> dict[str, str]:
    return {"error": words}


def _collection(place: Place, request: Request) -> Collection:
    return place.collection(request.path_params["name"])


async def _body(request: Request, model: type[_Body]) -> _Body:
    return TypeAdapter(model).validate_json(await request.body())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--api-key", default="")
    given = parser.parse_args()
    app = Standin(given.folder, given.api_key).app()
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
