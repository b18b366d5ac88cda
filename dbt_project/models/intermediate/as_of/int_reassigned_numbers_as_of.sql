with

answers as (
    select *
    from {{ versions_as_of(
        ref('stg_reassigned_numbers'), ['phone_token', 'consent_date', 'checked_at_utc']
    ) }} as versions
    where {{ lender_day('versions.checked_at_utc') }} <= versions.as_of_date
),

ranked as (
    select
        answers.*,
        row_number() over (
            partition by answers.as_of_date, answers.phone_token, answers.consent_date
            order by answers.checked_at_utc desc nulls last
            -- unique: the key of a version is the partition and this instant.
        ) as recency
    from answers
)

select
    as_of_date,
    phone_token,
    consent_date,
    result,
    checked_at_utc
from ranked
where recency = 1
