"""The names are those of the conventions, as OpenTelemetry's own package has them."""

from opentelemetry.semconv import schemas
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes, messaging_attributes
from opentelemetry.semconv.attributes import error_attributes

from growbin_jobs.engine.tracing import names

OURS = {"growbin"}


def test_every_attribute_is_one_of_the_conventions() -> None:
    known = {
        value
        for module in (gen_ai_attributes, messaging_attributes, error_attributes)
        for value in vars(module).values()
        if isinstance(value, str)
    }
    written = {value for value in vars(names).values() if isinstance(value, str) and "." in value}
    written -= {names.VERSION, names.SCHEMA_URL, names.__doc__, names.__name__, names.__file__, names.__package__}
    written = {value for value in written if value.islower() and value.split(".")[0] not in OURS and "/" not in value}

    assert written
    assert written <= known
    assert "gen_ai.system" not in written


def test_the_schema_exists() -> None:
    assert names.SCHEMA_URL in {schema.value for schema in schemas.Schemas}
