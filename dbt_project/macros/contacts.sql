{% macro channels() -%}
    {{ return(['email', 'sms', 'whatsapp', 'voice']) }}
{%- endmacro %}

{% macro dayparts() -%}
    {{ return(['morning', 'midday', 'afternoon', 'evening']) }}
{%- endmacro %}

{#- The part of the borrower's day a local wall time falls in: before 11, 11 to 14, 14 to 17, after. -#}
{% macro daypart(local_time) -%}
    case
        when extract(hour from {{ local_time }}) < 11 then 'morning'
        when extract(hour from {{ local_time }}) < 14 then 'midday'
        when extract(hour from {{ local_time }}) < 17 then 'afternoon'
        else 'evening'
    end
{%- endmacro %}

{% macro weekdays() -%}
    {{ return(['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']) }}
{%- endmacro %}

{#- The name of a DATE's day of the week; 1900-01-01 was a Monday. -#}
{% macro weekday(day) -%}
    case {{ days_between("cast('1900-01-01' as date)", day) }} % 7
        {%- for name in weekdays() %}
        when {{ loop.index0 }} then '{{ name }}'
        {%- endfor %}
    end
{%- endmacro %}

{#- Local wall time where the borrower is: most are in the lender's zone, and conversion to a constant
    zone is seven times cheaper than to a zone in a column. -#}
{% macro borrower_local(instant, zone) -%}
    case
        when {{ zone }} = '{{ lender_zone() }}'
            then {{ utc_to_local(instant, "'" ~ lender_zone() ~ "'") }}
        else {{ utc_to_local(instant, zone) }}
    end
{%- endmacro %}

{#- What a contact of this age still counts, in millionths: half after the half-life. A whole number,
    so that the sum does not depend on the order of the rows, as DOUBLE, which adds faster than BIGINT
    and is exact up to nine thousand million contacts. -#}
{% macro decayed_millionths(age_days) -%}
    round(
        1000000 * power(
            cast(0.5 as double),
            cast({{ age_days }} as double) / {{ var('engagement_half_life_days') }}
        )
    )
{%- endmacro %}

{#- The decayed count of rows that have `millionths`, of those that meet the condition. -#}
{% macro decayed(counted, condition='true') -%}
    cast(sum(case when {{ condition }} then {{ counted }} * millionths else 0 end) as double) / 1000000
{%- endmacro %}

{#- The right party was spoken to; a promise to pay can only be made by that party. -#}
{% macro is_right_party(outcome) -%}
    coalesce({{ outcome }} in ('right_party_contact', 'promise_to_pay'), false)
{%- endmacro %}

{#- The borrower reacted: what channel preference learns from. -#}
{% macro is_engaged(outcome) -%}
    coalesce(
        {{ outcome }} in ('opened', 'clicked', 'replied', 'right_party_contact', 'promise_to_pay'),
        false
    )
{%- endmacro %}

{#- The contact did not arrive: nobody answered, or it could not be delivered. -#}
{% macro is_unreached(outcome) -%}
    coalesce({{ outcome }} in ('no_answer', 'failed'), false)
{%- endmacro %}

{#- Reactions that are counted by kind: the word of a column, and the outcome or event it stands for. -#}
{% macro reactions() -%}
    {{ return([
        ('opens', 'opened'), ('clicks', 'clicked'), ('replies', 'replied'), ('answers', 'answered'),
    ]) }}
{%- endmacro %}

{#- The account's column for the contacts of a channel, all of them or those that came out so. -#}
{% macro contact_column(channel, outcome, length) -%}
    contacts_{{ channel }}{{ '' if outcome == 'contacts' else '_' ~ outcome }}_{{ length }}d
{%- endmacro %}
