"""Generated requests over the OpenAPI document: no answer that it does not describe."""

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

CONFIG = {
    "checks": {
        # What a schema cannot say: too many tokens, and more than fits.
        "positive_data_acceptance": {"expected-statuses": ["2xx", "404", "413", "429"]},
        "negative_data_rejection": {"expected-statuses": ["400", "404", "405", "413", "415", "422", "429"]},
    }
}


def exercise(url: str, document: dict, cases: int) -> int:
    """Sends generated cases, right and wrong ones, spread over all operations; how many."""
    config = SchemathesisConfig.from_dict(CONFIG)
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.config.update(base_url=url)
    sent = 0
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:
        takes_input = bool(operation.body) or bool(operation.query) or bool(operation.path_parameters)
        for mode in GenerationMode.all() if takes_input else [GenerationMode.POSITIVE]:
            wanted = cases // (2 * len(operations)) if takes_input else 2

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=wanted,
                deadline=None,
                database=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def check(case):
                nonlocal sent
                sent += 1
                case.call_and_validate()

            check()
    return sent


def test_no_generated_request_gets_an_undescribed_answer(plain):
    document = plain.get("/openapi.json").json()
    assert exercise(plain.url, document, 300) >= 200
    assert plain.process.poll() is None
