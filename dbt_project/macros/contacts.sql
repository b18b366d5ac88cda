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
