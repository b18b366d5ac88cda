{#- The platform's scratch uses the lakehouse namespaces (`features`, …); everyone else's names begin
    with the target's schema, so that a developer's tables are never taken for the platform's. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none -%}
        {{ target.schema }}
    {%- elif target.name == 'platform' -%}
        {{ custom_schema_name | trim }}
    {%- else -%}
        {{ target.schema }}_{{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
