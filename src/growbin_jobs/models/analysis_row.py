"""The table ``waste_analysis``."""

import peewee

from growbin_jobs.engine.central.fields import IdField, JsonField, UtcField, WordsField


class WasteAnalysis(peewee.Model):
    """Table ``waste_analysis``. ``migrations/`` creates it; a test holds the two together."""

    id = IdField(primary_key=True)
    #: Null only while a stage came before the row's own beginning.
    user_id = IdField(null=True)
    status = peewee.TextField()
    s3_path = WordsField(null=True)
    thumbnail_path = WordsField(null=True)
    category = peewee.TextField(null=True)
    item = peewee.TextField(null=True)
    state = peewee.TextField(null=True)
    confidence = peewee.DoubleField(null=True)
    vision_model = WordsField(null=True)
    rules = JsonField(null=True)
    response = WordsField(null=True)
    response_source = peewee.TextField(null=True)
    response_model = WordsField(null=True)
    language = peewee.TextField(null=True)
    failed_stage = peewee.TextField(null=True)
    error_code = peewee.TextField(null=True)
    error_params = JsonField(null=True)
    error = WordsField(null=True)
    created_at = UtcField()
    updated_at = UtcField()
    completed_at = UtcField(null=True)
    #: When all that is personal was taken out; from then on no stage writes into the row.
    erased_at = UtcField(null=True)
    tier = peewee.TextField(null=True)
    tier_reason = peewee.TextField(null=True)

    class Meta:
        table_name = "waste_analysis"
        indexes = (
            (("user_id", "created_at"), False),
            (("status", "created_at"), False),
            (("created_at",), False),
        )


WasteAnalysis.add_index(
    WasteAnalysis.index(WasteAnalysis.user_id, name="waste_analysis_unfinished").where(
        peewee.SQL("status NOT IN ('completed', 'failed')")
    )
)
