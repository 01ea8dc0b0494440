package com.nextbreakpoint.flink.examples;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The arguments of a program: {@code --name value} or {@code --name=value}. A name that the program does not know is refused. */
final class Arguments {
    private final Map<String, String> values = new HashMap<String, String>();

    Arguments(String[] args, String... known) {
        List<String> names = Arrays.asList(known);
        for (int i = 0; i < args.length; i++) {
            String name = args[i].startsWith("--") ? args[i].substring(2) : args[i];
            String value = null;
            int equals = name.indexOf('=');
            if (equals >= 0) {
                value = name.substring(equals + 1);
                name = name.substring(0, equals);
            }
            if (!names.contains(name)) {
                throw new IllegalArgumentException(
                        "unknown argument " + args[i] + "; known are --" + String.join(", --", names));
            }
            if (value == null) {
                i++;
                if (i == args.length) {
                    throw new IllegalArgumentException("argument --" + name + " has no value");
                }
                value = args[i];
            }
            values.put(name, value);
        }
    }

    String text(String name, String otherwise) {
        String value = values.get(name);
        return value == null ? otherwise : value;
    }

    String required(String name) {
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("argument --" + name + " is missing");
        }
        return value;
    }

    long number(String name, long otherwise) {
        String value = values.get(name);
        try {
            return value == null ? otherwise : Long.parseLong(value);
        } catch (NumberFormatException error) {
            throw new IllegalArgumentException("argument --" + name + " is not a number: " + value, error);
        }
    }
}
