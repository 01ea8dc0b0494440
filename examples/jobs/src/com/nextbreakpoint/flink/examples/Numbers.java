package com.nextbreakpoint.flink.examples;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** The source of all examples: 0, 1, 2, … from one reader, which goes on at the right number after any restore. */
final class Numbers {
    private Numbers() {}

    static DataStream<Long> from(StreamExecutionEnvironment env, long count, long perSecond) {
        DataGeneratorSource<Long> source = new DataGeneratorSource<Long>(
                new Identity(), count, RateLimiterStrategy.perSecond(perSecond), Types.LONG);
        return env.fromSource(source, WatermarkStrategy.<Long>noWatermarks(), "numbers", Types.LONG)
                .uid("numbers")
                .setParallelism(1);
    }

    private static final class Identity implements GeneratorFunction<Long, Long> {
        private static final long serialVersionUID = 1L;

        @Override
        public Long map(Long number) {
            return number;
        }
    }

    /** The rest of a division: as many keys as the divisor. */
    static final class Rest implements KeySelector<Long, Long> {
        private static final long serialVersionUID = 1L;

        private final long divisor;

        Rest(long divisor) {
            this.divisor = divisor;
        }

        @Override
        public Long getKey(Long number) {
            return number % divisor;
        }
    }
}
