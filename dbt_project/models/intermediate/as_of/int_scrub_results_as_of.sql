with

answers as (
    select *
    from {{ versions_as_of(
        ref('stg_scrub_results'),
        ['phone_token', 'header_id', 'content_template_id', 'scrubbed_at_utc'],
    ) }} as versions
    where {{ lender_day('versions.scrubbed_at_utc') }} <= versions.as_of_date
),

ranked as (
    select
        answers.*,
        row_number() over (
            partition by
                answers.as_of_date,
                answers.phone_token,
                answers.header_id,
                answers.content_template_id
            order by answers.scrubbed_at_utc desc nulls last
            -- unique: the key of a version is the partition and this instant.
        ) as recency
    from answers
)

select
    as_of_date,
    phone_token,
    header_id,
    content_template_id,
    consent_template_id,
    result,
    reason,
    scrubbed_at_utc
from ranked
where recency = 1
