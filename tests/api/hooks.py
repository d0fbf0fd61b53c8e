"""What a schema cannot say: which text is SQL, and the forms of times and numerals that JSON Schema does not know."""

import re

import schemathesis
from hypothesis import strategies as st

COLUMNS = ["iata", "name", "city", "state", "country"]

tests = st.sampled_from(["state = 'CA'", "iata IS NOT NULL", "city < 'D'", "state IN ('TX', 'NY')", "name LIKE 'A%'"])
columns = st.lists(st.sampled_from(COLUMNS), min_size=1, unique=True).map(", ".join)
plain = st.builds("SELECT {} FROM airports WHERE {} LIMIT {}".format, columns, tests, st.integers(0, 50))
grouped = st.builds("SELECT state, count(*) AS n FROM airports WHERE {} GROUP BY state ORDER BY n, state".format, tests)
asked = st.sampled_from(["SELECT city FROM airports WHERE state = $state", "SELECT $number + 1 AS next"])

# Every one of these is answered. Each `format` of a document that is not JSON Schema's has a strategy here.
schemathesis.openapi.format("sql", st.one_of(plain, grouped, asked, st.just("SELECT 1 AS one")))
for name, bits in [("int8", 8), ("int16", 16), ("int32", 32), ("int64", 64)]:
    schemathesis.openapi.format(name, st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).map(str))
finite = {"allow_nan": False, "allow_infinity": False}
schemathesis.openapi.format("float", st.floats(width=16, **finite).map(repr))
schemathesis.openapi.format("double", st.floats(**finite).map(repr))
schemathesis.openapi.format("date-time-local", st.datetimes().map(lambda moment: moment.isoformat()))
schemathesis.openapi.format("time-local", st.times().map(lambda moment: moment.isoformat()))

GIVEN = {"state": "CA", "number": {"type": "bigint", "value": "9007199254740993"}}


@schemathesis.hook
def before_call(context, case, kwargs):
    """
    Parameters are those that a statement names, no more and no fewer, and none for a query of which the document does
    not say what it takes. What is wrong with a body stays as it is.
    """
    operation, body = case.operation.definition.raw.get("operationId"), case.body
    if not isinstance(body, dict) or not well_formed(body.get("parameters", {})):
        return
    if operation == "runQuery" and set(body) <= {"parameters"}:
        case.body = {}
    if operation == "query" and isinstance(body.get("sql"), str):
        named = re.findall(r"\$(\w+)", body["sql"])
        rest = {key: value for key, value in body.items() if key != "parameters"}
        case.body = {**rest, "parameters": {name: GIVEN[name] for name in named if name in GIVEN}}


def well_formed(parameters):
    return isinstance(parameters, dict) and all(
        re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,62}", name) and (scalar(value) or typed(value))
        for name, value in parameters.items()
    )


def scalar(value):
    return isinstance(value, bool | int | float) or (isinstance(value, str))


def typed(value):
    return (
        isinstance(value, dict)
        and set(value) == {"type", "value"}
        and isinstance(value["type"], str)
        and len(value["type"]) <= 64
        and (value["value"] is None or scalar(value["value"]))
    )
